// Who may what, and what is refused: GraphQL against those who mean ill.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildClientSchema, getIntrospectionQuery, printSchema, type IntrospectionQuery } from 'graphql';
import { ROLES, type Role } from '@bindery/wire/roles.ts';
import { ERRORS } from '@bindery/wire/errors.ts';
import { GraphqlServer, type Answered } from '../../../../test/fakes/graphql-server.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { LIMITS } from './limits.ts';
import { makeSchema } from './schema.ts';

const SHARED = 'shared/book.ipynb';
const SECRET = 'secret.ipynb';
const XSS = '<script>alert(1)</script><img src=x onerror=alert(1)>';

describe('GraphQL, asked by those who mean ill', () => {
  let jupyter: JupyterServer;
  let server: GraphqlServer;
  let cell: string;
  before(async () => {
    jupyter = await JupyterServer.start();
    await mkdir(join(jupyter.folder, 'root/shared'));
    server = await GraphqlServer.open(jupyter);
    for (const path of [SHARED, SECRET]) {
      await server.ask('mutation($path: String!) { createNotebook(path: $path) { id } }', { path });
      const { data } = await server.ask(`mutation($path: String!) { insertCell(path: $path, source: "${XSS}") { id } }`, { path });
      cell = (data as { insertCell: { id: string } }).insertCell.id;
    }
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await jupyter[Symbol.asyncDispose]();
  });

  const codes = ({ errors }: Answered): string[] => errors.map(({ extensions }) => extensions.code);
  const ofShared = (text: string): string => text.replaceAll('PATH', JSON.stringify(SHARED)).replaceAll('CELL', JSON.stringify('none'));

  /** Every field at the root, and the least role that it needs for what is shared. */
  const FIELDS: Readonly<Record<string, readonly [text: string, least: Role]>> = {
    me: ['query { me { role } }', 'read'],
    notebooks: ['query { notebooks { path } }', 'read'],
    notebook: [
      'query { notebook(path: PATH) { id cells { id source outputs { __typename } execution { id } } presence { name } } }',
      'read',
    ],
    kernels: ['query { kernels { id } }', 'execute'],
    sessions: ['query { sessions { id } }', 'execute'],
    kernelspecs: ['query { kernelspecs { name } }', 'execute'],
    presence: ['query { presence(path: PATH) { name } }', 'read'],
    createNotebook: ['mutation { createNotebook(path: PATH) { id } }', 'execute'],
    renameNotebook: ['mutation { renameNotebook(path: PATH, to: "text.txt") { id } }', 'execute'],
    deleteNotebook: ['mutation { deleteNotebook(path: "none.ipynb") }', 'execute'],
    insertCell: ['mutation { insertCell(path: PATH) { id } }', 'edit'],
    changeCell: ['mutation { changeCell(path: PATH, cell: CELL, source: "") { id } }', 'edit'],
    moveCell: ['mutation { moveCell(path: PATH, cell: CELL, at: 0) { id } }', 'edit'],
    deleteCell: ['mutation { deleteCell(path: PATH, cell: CELL) }', 'edit'],
    runCell: ['mutation { runCell(path: PATH, cell: CELL) { id } }', 'execute'],
    cancelExecution: ['mutation { cancelExecution(path: PATH, execution: "none") }', 'execute'],
    interruptKernel: ['mutation { interruptKernel(kernel: "none") { id } }', 'execute'],
    restartKernel: ['mutation { restartKernel(kernel: "none") { id } }', 'execute'],
    answerInput: ['mutation { answerInput(path: PATH, question: "none", value: "") }', 'execute'],
  };

  it('Q2 the table of roles names every field at the root', () => {
    const schema = makeSchema();
    const names = [schema.getQueryType(), schema.getMutationType()].flatMap((type) => Object.keys(type?.getFields() ?? {}));
    assert.deepEqual(Object.keys(FIELDS).sort(), names.sort());
  });

  for (const role of ROLES)
    it(`Q2 as ${role}: every field`, async () => {
      for (const [name, [text, least]] of Object.entries(FIELDS)) {
        const isAllowed = ROLES.indexOf(role) >= ROLES.indexOf(least);
        const answered = await server.ask(ofShared(text), {}, role, 'shared');
        assert.equal(codes(answered).includes('forbidden'), !isAllowed, `${name}: ${answered.text}`);
      }
    });

  for (const role of ['read', 'edit'] as const)
    it(`Q2 as ${role}: nothing outside of what is shared`, async () => {
      const mutations = [
        'insertCell(path: PATH)',
        'changeCell(path: PATH, cell: CELL, source: "")',
        'moveCell(path: PATH, cell: CELL, at: 0)',
      ];
      const texts = [
        'query { notebook(path: PATH) { id cells { source } } }',
        'query { presence(path: PATH) { name } }',
        ...mutations.map((each) => `mutation { ${each} { id } }`),
        'mutation { deleteCell(path: PATH, cell: CELL) }',
      ];
      for (const path of [SECRET, '', `/${SECRET}`, 'shared/../secret.ipynb', 'shared2/a.ipynb', 'none.ipynb'])
        for (const text of texts) {
          const filled = text.replaceAll('PATH', JSON.stringify(path)).replaceAll('CELL', JSON.stringify(cell));
          const answered = await server.ask(filled, {}, role, 'shared');
          assert.deepEqual(codes(answered), ['forbidden'], `${filled}: ${answered.text}`);
          assert.ok(!answered.text.includes('script'), answered.text);
        }
      for (const folder of ['', 'none', 'shared/..', '/'])
        assert.deepEqual(codes(await server.ask(`{ notebooks(folder: ${JSON.stringify(folder)}) { path } }`, {}, role, 'shared')), [
          'forbidden',
        ]);
      assert.deepEqual(codes(await server.ask('{ presence { name } }', {}, role, 'shared')), ['forbidden']);
      const { data } = await server.ask('{ notebooks { path } }', {}, role, 'shared');
      assert.deepEqual(data, { notebooks: [{ path: SHARED }] });
      const one = await server.ask('{ notebooks { path } }', {}, role, SHARED);
      assert.deepEqual(one.data, { notebooks: [{ path: SHARED }] });
    });

  it('Q2 the other fields are answered, and the kernel of a notebook is for those who may run code', async () => {
    const text = `{ me { role } notebook(path: "${SHARED}") { path kernel { id } } kernels { id } }`;
    const { data, errors, status } = await server.ask(text, {}, 'edit', 'shared');
    assert.deepEqual(data, { me: { role: 'edit' }, notebook: { path: SHARED, kernel: null }, kernels: null });
    assert.deepEqual(errors.map(({ path, extensions }) => `${path?.join('.')}: ${extensions.code}`).toSorted(), [
      'kernels: forbidden',
      'notebook.kernel: forbidden',
    ]);
    assert.equal(status, 200);
  });

  it('Q2 without a role nothing is answered', async () => {
    assert.equal((await server.ask('{ me { role } }', {}, '')).status, 403);
    assert.equal((await server.send({ method: 'GET' }, '', '', '?query={__typename}')).status, 403);
  });

  it('Q2 who may read may look at the schema', async () => {
    const { data } = await server.ask(getIntrospectionQuery(), {}, 'read', SHARED);
    assert.equal(printSchema(buildClientSchema(data as unknown as IntrospectionQuery)), printSchema(makeSchema()));
  });

  it('Q1 takes JSON by POST and queries by GET, and nothing else', async () => {
    const body = JSON.stringify({ query: '{ __typename }' });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=a', 'application/graphql', ''])
      assert.equal((await server.send({ method: 'POST', body, headers: { 'content-type': type } })).status, 415, type);
    const get = await server.send({ method: 'GET' }, 'read', '', `?query=${encodeURIComponent('{ me { role } }')}`);
    assert.deepEqual(get.data, { me: { role: 'read' } });
    assert.equal(get.headers.get('cache-control'), 'no-store');
    const change = await server.send(
      { method: 'GET' },
      'admin',
      '',
      `?query=${encodeURIComponent('mutation { deleteNotebook(path: "a.ipynb") }')}`,
    );
    assert.deepEqual([change.status, codes(change)], [405, ['query_invalid']]);
    for (const method of ['PUT', 'DELETE', 'PATCH']) assert.equal((await server.send({ method, body })).status, 405);
    const json = { 'content-type': 'application/json' };
    for (const bad of [
      `[${body},${body}]`,
      '{',
      '""',
      '{}',
      '{"query": 1}',
      '{"query": "{ __typename }", "variables": []}',
      '['.repeat(1e6),
    ]) {
      const answered = await server.send({ method: 'POST', body: bad, headers: json });
      assert.deepEqual([answered.status, codes(answered)], [400, ['query_invalid']], bad.slice(0, 80));
    }
    const page = await server.send({ method: 'GET', headers: { accept: 'text/html,*/*' } }, 'read');
    assert.deepEqual([page.status, new URL(page.headers.get('location') ?? '', server.url).pathname], [303, '/base/-/graphql']);
  });

  const repeated = (length: number, part: (index: number) => string): string => Array.from({ length }, (_, index) => part(index)).join(' ');
  const TOO_MUCH: Readonly<Record<string, string>> = {
    'a long text': `{ me { role } } # ${'x'.repeat(LIMITS.characters)}`,
    'many aliases': `{ ${repeated(LIMITS.aliases + 1, (index) => `a${index}: me { role }`)} }`,
    'many operations': repeated(LIMITS.operations + 1, (index) => `query a${index} { me { role } }`),
    'many fields': `{ me { ${repeated(LIMITS.fields, () => 'role')} } }`,
    'large lists in large lists': `{ notebook(path: "a") { cells(first: 1000) { outputs(first: 1000) { __typename } } } }`,
    'aliases of what is large': `{ ${repeated(40, (index) => `a${index}: notebook(path: "a") { cells(first: 1000) { id source type state } }`)} }`,
    'fragments that double': `{ me { ...f0 } } ${repeated(40, (index) => `fragment f${index} on Me { ${repeated(2, () => `...f${index + 1}`)} }`)} fragment f40 on Me { ${repeated(9, (index) => `a${index}: role`)} }`,
    'lists without end': `{ notebook(path: ${'['.repeat(1990)}`,
    'introspection by aliases': `{ ${repeated(LIMITS.aliases, (index) => `a${index}: __schema { types { name } }`)} b: __schema { types { name } } }`,
  };
  for (const [name, text] of Object.entries(TOO_MUCH))
    it(`L6 refuses ${name}`, async () => {
      const begun = performance.now();
      const answered = await server.ask(text);
      assert.deepEqual([answered.data, codes(answered)], [undefined, ['query_too_costly']], answered.text.slice(0, 300));
      assert.ok(performance.now() - begun < 1000);
    });

  const INVALID: Readonly<Record<string, string>> = {
    'a circle of fragments': '{ me { ...a } } fragment a on Me { ...b } fragment b on Me { ...a }',
    'a fragment of itself': '{ me { ...a } } fragment a on Me { role ...a }',
    'introspection that goes round': '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } }',
    'more words than are taken': `{ me { ${repeated(3000, () => 'role')} } }`,
    'lists in lists': `{ notebook(path: ${'['.repeat(900)}${']'.repeat(900)}) { id } }`,
    'a field that is not there': '{ secrets }',
    'no text': ' ',
    'a subscription by HTTP': 'subscription { kernels { id } }',
    'half of one': '{ me { role }',
  };
  for (const [name, text] of Object.entries(INVALID))
    it(`E1 refuses ${name}`, async () => {
      const begun = performance.now();
      const answered = await server.ask(text);
      assert.equal(answered.data, undefined);
      assert.ok(answered.errors.length > 0 && codes(answered).every((code) => code === 'query_invalid'), answered.text.slice(0, 300));
      assert.ok(performance.now() - begun < 1000);
    });

  it('L1 L4 refuses huge variables, and lists longer than there can be', async () => {
    const text = 'query($path: String!, $first: Int!) { notebook(path: $path) { cells(first: $first) { id } } }';
    const huge = await server.ask(text, { path: 'a'.repeat(5 * 1024 * 1024), first: 1 });
    assert.deepEqual([huge.status, codes(huge)], [413, ['query_too_costly']]);
    // A value that does not fit is not sent back as a whole.
    const wrong = await server.ask(text, { path: 'a', first: 'b'.repeat(1024 * 1024) });
    assert.deepEqual(codes(wrong), ['query_invalid']);
    assert.ok(wrong.text.length < 4000);
    for (const first of [-1, 1001]) assert.deepEqual(codes(await server.ask(text, { path: SHARED, first })), ['request_invalid']);
    assert.deepEqual(codes(await server.ask(text, { path: SHARED, first: 2 ** 31 - 1 })), ['query_too_costly']);
    const byDefault = await server.ask('query($first: Int! = 1000000) { notebook(path: "a") { cells(first: $first) { id } } }');
    assert.deepEqual(codes(byDefault), ['query_too_costly']);
    let deep: unknown = 1;
    for (let depth = 0; depth < 5000; depth++) deep = [deep];
    assert.deepEqual(codes(await server.ask(text, { path: deep, first: 1 })), ['query_invalid']);
  });

  it('L5 one answer holds no more than so much', async () => {
    const path = 'large.ipynb';
    await server.ask('mutation($path: String!) { createNotebook(path: $path) { id } }', { path });
    const source = 'x'.repeat(1024 * 1024);
    for (let index = 0; index < 4; index++)
      await server.ask('mutation($path: String!, $source: String!) { insertCell(path: $path, source: $source) { id } }', { path, source });
    const whole = (times: number): string =>
      `{ ${repeated(times, (index) => `a${index}: notebook(path: "${path}") { cells { source } }`)} }`;
    assert.equal((await server.ask(whole(7))).errors.length, 0);
    const answered = await server.ask(whole(9));
    assert.ok(codes(answered).includes('query_too_costly'));
    assert.ok(answered.text.length < 40 * 1024 * 1024);
  });

  it('E1 E2 every refusal has a code of the table, and nothing of the inside', async () => {
    const texts = [
      '{ notebook(path: "none.ipynb") { id } }',
      '{ notebook(path: "\\u0000") { id } }',
      '{ notebooks(folder: "none") { path } }',
    ];
    for (const text of [...texts, ...Object.values(FIELDS).map(([each]) => ofShared(each)), 'x', '{ x }'])
      for (const role of ROLES) {
        const { errors, text: all } = await server.ask(text, {}, role, 'shared');
        for (const { extensions, message } of errors) {
          assert.ok(extensions.code in ERRORS && extensions.hint !== '' && message !== '', all);
          assert.notEqual(extensions.code, 'internal', `${text}: ${all}`);
        }
        assert.ok(!/stack|node_modules|\.ts:|file:\/\//.test(all) && !all.includes(jupyter.folder), all);
      }
  });

  it('E1 what is written is text, and comes back as JSON that no browser takes for a page', async () => {
    const { headers, text } = await server.ask(`{ notebook(path: ${JSON.stringify(XSS)}) { id } }`);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.ok(JSON.parse(text));
  });
});
