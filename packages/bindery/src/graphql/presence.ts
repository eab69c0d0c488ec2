import { isObject, type JsonObject } from '@bindery/rtc/json.ts';
import type { RelayRoom } from '../relay/relay-room.ts';
import type { Asked } from './budget.ts';

/** Who is in a room, as they say of themselves. */
export function presenceIn({ states }: Pick<RelayRoom, 'states'>) {
  return states.map((state) => {
    const user = isObject(state['user']) ? state['user'] : {};
    const name = [user['display_name'], user['name'], user['username']].find((each) => typeof each === 'string' && each !== '');
    return {
      name: name ?? '',
      color: typeof user['color'] === 'string' ? user['color'] : null,
      state: (_: unknown, { budget }: Asked): JsonObject => budget.spend(state),
    };
  });
}
