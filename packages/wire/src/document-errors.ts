/** The failures of shared documents and of what runs in them: a part of `ERRORS`, which has their shape and checks them. */
export const DOCUMENT_ERRORS = {
  file_exists: {
    status: 409,
    retryable: false,
    title: 'There is a file of this name already.',
    hint: 'Choose another name, or delete that file first.',
  },
  query_too_costly: {
    status: 400,
    retryable: false,
    title: 'The GraphQL operation asks for more than is answered at once.',
    hint: 'Ask for less: fewer fields, smaller lists (first), a part of the cells (offset), or in several operations.',
  },
  query_invalid: {
    status: 400,
    retryable: false,
    title: 'The GraphQL operation is not one that this server knows.',
    hint: 'The message names the place. The schema is in docs/reference/graphql.md, and the server tells it by introspection.',
  },
  room_closed: {
    status: 409,
    retryable: false,
    title: 'The shared document is closed.',
    hint: 'Open it again.',
  },
  room_damaged: {
    status: 500,
    retryable: false,
    title: 'What was kept of a shared document cannot be read.',
    hint: 'Put a copy of the file back, or move it away: the document then begins anew.',
  },
  room_not_saved: {
    status: 503,
    retryable: true,
    title: 'The shared document could not be saved.',
    hint: 'Is the disk full? What was written stays with its writers, and is sent again.',
  },
  room_diverged: {
    status: 409,
    retryable: false,
    title: 'The shared document was replaced by another one.',
    hint: 'Open it again; what you wrote and was not saved can be copied out of the old one before.',
  },
  room_read_only: {
    status: 403,
    retryable: false,
    title: 'You may read this shared document and not write in it.',
    hint: 'Ask whoever shared it for a link that allows editing.',
  },
  room_refused: {
    status: 403,
    retryable: false,
    title: 'The server does not let you into the shared document.',
    hint: 'Open it again from where you found it; a link may have ended.',
  },
  file_operation_failed: {
    status: 409,
    retryable: false,
    title: 'The file or folder was not changed as it was asked.',
    hint: 'The message is that of the server; look at the folder, and try again in another way.',
  },
  cell_not_found: {
    status: 404,
    retryable: false,
    title: 'The notebook has no such code cell.',
    hint: 'Somebody may have deleted it or changed its type; look at the notebook again.',
  },
  cell_changed: {
    status: 409,
    retryable: true,
    title: 'The cell says something else than what was meant to run.',
    hint: 'Somebody has just edited it; look at it and run it again.',
  },
  kernel_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such kernel.',
    hint: 'Start another one for the notebook, and run the cells again.',
  },
  execution_refused: {
    status: 409,
    retryable: true,
    title: 'The code cannot be run now.',
    hint: 'The message says why; try again when that is over.',
  },
  input_not_expected: {
    status: 409,
    retryable: false,
    title: 'Nothing waits for this input.',
    hint: 'The code may have ended, or somebody else has answered.',
  },
} as const;
