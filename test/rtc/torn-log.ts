import { readFileSync, writeFileSync } from 'node:fs';
import * as Y from 'yjs';
import { HEAD, MAGIC, readRecords } from '../../packages/bindery/src/relay/record.ts';
import type { Seeded } from '../fakes/seeded.ts';

function docOf(payloads: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  doc.transact(() => {
    for (const update of payloads.slice(1)) Y.applyUpdate(doc, update);
  });
  return doc;
}

/** The document that a room's log says. */
export function docInLog(file: string): Y.Doc {
  return docOf(readRecords(readFileSync(file), MAGIC.length).payloads);
}

/** Leaves of a log what a power cut leaves: as many records as are enough for what was promised, and of the rest a part, or something else. */
export function tearLog(file: string, random: Seeded, isEnough: (doc: Y.Doc) => boolean): void {
  const bytes = readFileSync(file);
  const { payloads } = readRecords(bytes, MAGIC.length);
  let [few, enough] = [0, payloads.length];
  while (enough - few > 1) {
    const middle = (few + enough) >> 1;
    if (isEnough(docOf(payloads.slice(0, middle)))) enough = middle;
    else few = middle;
  }
  const needed = payloads.slice(0, enough).reduce((sum, payload) => sum + HEAD + payload.length, MAGIC.length);
  const tail = Buffer.from(bytes.subarray(needed, needed + random.below(bytes.length - needed + 1)));
  if (random.happens(40)) for (let count = 0; count < 3; count++) if (tail.length > 0) tail[random.below(tail.length)] = random.below(256);
  const junk = Buffer.from(Array.from({ length: random.happens(40) ? random.below(100) : 0 }, () => random.below(256)));
  writeFileSync(file, Buffer.concat([bytes.subarray(0, needed), tail, junk]));
}
