import { useValue } from '../rooms/use-value.ts';
import type { NotebookActions } from './notebook-actions.ts';

interface QuestionProps {
  readonly actions: NotebookActions;
  readonly execution: string;
  readonly mayRun: boolean;
  readonly attempt: (work: Promise<void>) => void;
}

/** What running code asks for (`input()`), and a field to answer. */
export function Question({ actions, execution, mayRun, attempt }: QuestionProps) {
  const questions = useValue(actions.room.tables.stdin.records);
  const open = questions.find((each) => each.execution === execution && each.answer === null);
  if (!open) return null;
  const prompt = open.prompt.trim() || 'The code asks for a line of text';
  if (!mayRun)
    return (
      <p class="cell-question">
        {prompt} <span class="quiet">(somebody who may run code can answer)</span>
      </p>
    );
  const answer = (form: HTMLFormElement): void => {
    attempt(actions.answer(open.id, new FormData(form).get('answer') as string));
    form.reset();
  };
  return (
    <form class="cell-question" onSubmit={(event) => (event.preventDefault(), answer(event.currentTarget))}>
      <label>
        <span>{prompt}</span>
        {open.isPassword ? (
          <input class="field" name="answer" type="password" autocomplete="off" />
        ) : (
          <input class="field" name="answer" autocomplete="off" />
        )}
      </label>
      <button type="submit" class="button small">
        Answer
      </button>
    </form>
  );
}
