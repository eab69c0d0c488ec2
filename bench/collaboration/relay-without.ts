// Our relay without something, to see what that costs: `relay-without.ts <folder> <what>`.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OWN } from '../../packages/bindery/src/relay/dialect.ts';
import { roomOf } from '../../packages/bindery/src/relay/places.ts';
import { admission } from '../../packages/bindery/src/relay/admission.ts';
import { Relay, type Admission } from '../../packages/bindery/src/relay/relay.ts';
import { RoomLog } from '../../packages/bindery/src/relay/room-log.ts';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';

const [folder = '', what = ''] = process.argv.slice(2);
const isWithout = (part: string): boolean => what === part || what === 'all three';

if (isWithout('log')) RoomLog.prototype.append = async () => undefined;
const dialect = isWithout('acknowledgements')
  ? { ...OWN, write: (frame: Parameters<typeof OWN.write>[0]) => (frame.type === 'ack' ? [] : OWN.write(frame)) }
  : OWN;
const admitted = admission({ key: '', clock: systemClock, origins: [] });
const relay = new Relay({
  folder,
  admit: async (request): Promise<Admission | string> => {
    const [pathname = ''] = (request.url ?? '').split('?');
    if (isWithout('authentication')) return { room: roomOf(pathname)?.room ?? '', role: 'admin', user: {}, dialect };
    const found = await admitted(request);
    return typeof found === 'string' ? found : { ...found, dialect };
  },
});
const http = createServer({ noDelay: true });
http.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
http.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}` })));
