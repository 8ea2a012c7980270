import { expect, it } from '@jest/globals';
import { QuestionSlots } from './question-slots.js';

const LIMITS = { total: 4, perTenant: 2, waiting: 4, waitingPerTenant: 3 };
const NEVER = new AbortController().signal;

/** Takes slots for tenants by name; `begun` has those that have one, in their order. */
function world() {
  const slots = new QuestionSlots(LIMITS);
  const begun: string[] = [];
  const refused: string[] = [];
  const take = (...names: string[]) => {
    for (const name of names)
      void slots.take(name, NEVER).then((has) => void (has ? begun : refused).push(name));
  };
  return { slots, begun, refused, take };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('gives a tenant its part, and the others the rest', async () => {
  const { begun, take } = world();
  take('a', 'a', 'a', 'b', 'b', 'c');
  await turn();
  expect(begun).toEqual(['a', 'a', 'b', 'b']);
});

it('gives a slot that is free to the tenants in turn', async () => {
  const { slots, begun, take } = world();
  take('a', 'a', 'b', 'b', 'a', 'a', 'c', 'c');
  slots.giveBack('a');
  slots.giveBack('b');
  slots.giveBack('b');
  await turn();
  expect(begun.slice(4)).toEqual(['a', 'c', 'c']);
  slots.giveBack('c');
  slots.giveBack('a');
  await turn();
  expect(begun.slice(7)).toEqual(['a']);
});

it('gives no tenant two of them while another waits', async () => {
  const { slots, begun, take } = world();
  take('a', 'a', 'b', 'b', 'c', 'c', 'd', 'd');
  slots.giveBack('a');
  slots.giveBack('a');
  await turn();
  expect(begun.slice(4)).toEqual(['c', 'd']);
});

it('lets so many wait and no more, of a tenant and of all', async () => {
  const { slots, begun, refused, take } = world();
  take('a', 'a', 'b', 'b', 'a', 'a', 'a', 'a', 'c', 'd');
  await turn();
  expect(refused).toEqual(['a', 'd']);
  for (const name of ['a', 'a', 'b', 'b']) slots.giveBack(name);
  take('d', 'd', 'd');
  await turn();
  expect(begun.filter((name) => name === 'd')).toHaveLength(1);
});

it('forgets who waits no longer', async () => {
  const { slots, begun, take } = world();
  take('a', 'a');
  const leaving = new AbortController();
  const left = slots.take('a', leaving.signal);
  take('a');
  leaving.abort();
  expect(await left).toBe(false);
  expect(await slots.take('b', leaving.signal)).toBe(false);
  slots.giveBack('a');
  await turn();
  expect(begun).toEqual(['a', 'a', 'a']);
  take('b', 'b');
  await turn();
  expect(begun.slice(3)).toEqual(['b', 'b']);
});
