import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Dialog } from '../shell/dialog.tsx';

/** Asks for the name of a file or folder. What is in front of its ending is chosen to be written over. */
export function NameDialog({ title, label, verb, initial, done, close }: NameDialogProps) {
  const name = useSignal(initial);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const dot = initial.lastIndexOf('.');
    input.current?.focus();
    input.current?.setSelectionRange(0, dot > 0 ? dot : initial.length);
  }, [initial]);
  const send = (event: Event): void => {
    event.preventDefault();
    done(name.value.trim());
    close();
  };
  return (
    <Dialog title={title} close={close}>
      <form class="entry-form" onSubmit={send}>
        <label>
          {label}
          <input
            class="field"
            ref={input}
            value={name.value}
            spellcheck={false}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </label>
        <p class="actions">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={initial !== '' && name.value.trim() === ''}>
            {verb}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

interface NameDialogProps {
  title: string;
  label: string;
  verb: string;
  initial: string;
  done: (name: string) => void;
  close: () => void;
}

/** Asks before something is gone for everybody. */
export function DeleteDialog({ name, isFolder, done, close }: DeleteDialogProps) {
  return (
    <Dialog title={`Delete ${name}?`} close={close}>
      <p>{isFolder ? 'The folder and all that is in it is gone for everybody.' : 'It is gone for everybody who is in this session.'}</p>
      <p class="actions">
        <button type="button" class="button" onClick={close}>
          Keep it
        </button>
        <button
          type="button"
          class="button primary danger"
          onClick={() => {
            done();
            close();
          }}
        >
          Delete it
        </button>
      </p>
    </Dialog>
  );
}

interface DeleteDialogProps {
  name: string;
  isFolder: boolean;
  done: () => void;
  close: () => void;
}
