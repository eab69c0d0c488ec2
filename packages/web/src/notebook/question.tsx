import { useValue } from '../rooms/use-value.ts';
import type { NotebookActions } from './notebook-actions.ts';

/** What running code asks for (`input()`), and a field to answer. */
export function Question({ actions, execution, mayAnswer }: { actions: NotebookActions; execution: string; mayAnswer: boolean }) {
  const questions = useValue(actions.room.tables.stdin.records);
  const open = questions.find((each) => each.execution === execution && each.answer === null);
  if (!open) return null;
  const prompt = open.prompt.trim() || 'The code asks for a line of text';
  if (open.isPassword)
    return (
      <p class="cell-question">
        {prompt} <span class="quiet">A password is asked for. It is answered in JupyterLab, as all can read what is written here.</span>
      </p>
    );
  if (!mayAnswer)
    return (
      <p class="cell-question">
        {prompt} <span class="quiet">(somebody who may run code can answer)</span>
      </p>
    );
  return (
    <form
      class="cell-question"
      onSubmit={(event) => {
        event.preventDefault();
        actions.answer(open.id, new FormData(event.currentTarget).get('answer') as string);
      }}
    >
      <label>
        <span>{prompt}</span>
        <input name="answer" autocomplete="off" />
      </label>
      <button type="submit" class="button small">
        Answer
      </button>
    </form>
  );
}
