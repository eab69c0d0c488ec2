// A hub in a process of its own, whose engine and pipeline do nothing: what is measured is the hub alone.
// Prints its address and key as one line of JSON, and ends when its input does.
import { nullHub } from '../test/fakes/null-hub.ts';

const { hub, url, [Symbol.asyncDispose]: end } = await nullHub({ config: { session: { maximum: 1_000_000 } } });
console.log(JSON.stringify({ url: url.replace('localhost', '127.0.0.1'), key: hub.key, pid: process.pid }));
process.stdin.resume();
process.stdin.on('end', () => void end().then(() => process.exit(0)));
