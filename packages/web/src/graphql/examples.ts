/** Something to begin with. `$path` is the path of a notebook, where there is one. */
export interface Example {
  readonly name: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

export function examples(path: string): readonly Example[] {
  return [
    {
      name: 'Notebooks',
      query: `# Ctrl-Enter runs this. Ctrl-Space says what can stand here.
query Notebooks {
  me {
    role
    path
  }
  notebooks {
    path
    lastModified
    size
  }
}
`,
      variables: {},
    },
    {
      name: 'Cells and outputs',
      query: `query Cells($path: String!) {
  notebook(path: $path) {
    isDirty
    cells(first: 50) {
      id
      type
      source
      execution {
        state
        message
      }
      outputs {
        __typename
        ... on StreamOutput {
          name
          text
        }
        ... on DataOutput {
          values(types: ["text/plain"]) {
            value
          }
        }
        ... on ErrorOutput {
          name
          message
        }
      }
    }
  }
}
`,
      variables: { path },
    },
    {
      name: 'Follow a notebook',
      query: `subscription Follow($path: String!) {
  notebook(path: $path) {
    cells {
      id
      source
      state
      executionCount
    }
    removed
    order
  }
}
`,
      variables: { path },
    },
    {
      name: 'Add a cell',
      query: `mutation Add($path: String!, $source: String!) {
  insertCell(path: $path, source: $source) {
    id
    source
  }
}
`,
      variables: { path, source: '6 * 7' },
    },
    {
      name: 'Run a cell',
      query: `mutation Run($path: String!, $cell: ID!) {
  runCell(path: $path, cell: $cell) {
    id
    state
    kernel
  }
}
`,
      variables: { path, cell: '' },
    },
    {
      name: 'Kernels and sessions',
      query: `query Kernels {
  kernels {
    id
    name
    status
    restarts
  }
  sessions {
    path
    kernel {
      id
    }
  }
  kernelspecs {
    name
    displayName
  }
}
`,
      variables: {},
    },
  ];
}
