import type { Dispatcher } from 'undici';
import { z } from 'zod';
import type { Route } from './routes.ts';

const Kernels = z.array(z.object({ id: z.string(), execution_state: z.string().optional() }));
const PATIENCE_MS = 5000;
const MOST_BYTES = 1024 * 1024;

/** Asks a Jupyter server which of its kernels are busy (`GET api/kernels`). Undefined where it does not answer properly. */
export async function askKernels(pool: Dispatcher, route: Route): Promise<ReadonlySet<string> | undefined> {
  const headers = { host: 'localhost', ...(route.authorization === undefined ? {} : { authorization: route.authorization }) };
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { statusCode, body } = await pool.request({ path: `${route.prefix}api/kernels`, method: 'GET', headers, signal });
    let text = '';
    for await (const chunk of body.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > MOST_BYTES) return undefined;
    }
    if (statusCode !== 200) return undefined;
    const kernels = Kernels.parse(JSON.parse(text));
    return new Set(kernels.filter((kernel) => kernel.execution_state === 'busy').map(({ id }) => id));
  } catch {
    return undefined;
  }
}
