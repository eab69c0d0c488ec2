/** Words after which a command begins anew. */
const OPENERS = /^(?:if|then|else|elif|do|while|until|!|time|exec|sudo|env|nohup|command|[A-Za-z_]\w*=\S*|-[A-Za-z]+)\s+/;
const RUNNER = /^(?:\S*\/)?(?:python[\d.]*|coverage)\s+-m\s+/;
const IN_ENVIRONMENT = /^(?:\S*\/)?(?:conda|mamba|micromamba|uv|pipx)\s+run\s/;
const WORDS = /\bjupyter(?:-[\w-]+)?(?:[ \t]+[a-z]+(?![^\s])){0,2}/;
const JUPYTER = /^(?:\S*\/)?jupyter(?:-[\w-]+)?(?=\s|$)/;

/**
 * The first `jupyter …` command in a script of the shell, by its first words (arguments may hold secrets); in another language's script
 * `jupyter` alone, if a line names it.
 */
export function jupyterCommand(script: string): string | undefined {
  const first = script.split('\n', 1)[0] ?? '';
  if (first.startsWith('#!') && !/\b(?:ba|da|z|k)?sh\b/.test(first)) return otherLanguage(script);
  const lines = script.replace(/\\\n/g, '').split('\n');
  for (const line of lines) {
    const commands = line.replace(/(^|\s)#.*$/, '').split(/&&|\|\||[;|&(){}`]/);
    for (const each of commands) {
      const command = bare(each.trim());
      if (JUPYTER.test(command) || (IN_ENVIRONMENT.test(command) && /\sjupyter\b/.test(command)))
        return WORDS.exec(command)?.[0].replace(/[ \t]+/g, ' ');
    }
  }
  return undefined;
}

function bare(text: string): string {
  let command = text;
  for (let round = 0; round < 20; round++) {
    const shorter = command.replace(OPENERS, '').replace(RUNNER, '').trim();
    if (shorter === command) return command;
    command = shorter;
  }
  return command;
}

function otherLanguage(script: string): string | undefined {
  return script.split('\n').some((line) => !/^\s*#/.test(line) && /\bjupyter\b/.test(line)) ? 'jupyter' : undefined;
}
