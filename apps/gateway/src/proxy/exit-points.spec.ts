import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PROVIDERS } from '../providers/registry.js';
import { SCENES } from './exit-scenes/memory.anthropic.contract.js';
import { type Scenes, scenesOf } from './exit-scenes/memory.scene.contract.js';
import { describeExitPoints, expectEnd, priceEverything, Standing } from './memory.exit-points.contract.js';
import { send } from './memory.proxy-client.js';
import { ProxyWorld } from './memory.proxy-world.js';

const BILLING = PROVIDERS.filter(({ routes }) => routes.some((route) => route.class === 'metered'));
const OF_ALL = await Promise.all(BILLING.map(async ({ slug }) => prefixed(slug, await scenesOf(slug))));

function prefixed(slug: string, scenes: Scenes): Scenes {
  return Object.fromEntries(Object.entries(scenes).map(([name, scene]) => [`${slug}: ${name}`, scene]));
}

describeExitPoints(Object.assign({}, ...OF_ALL));

describe('clients that have left', () => {
  let world: ProxyWorld;
  beforeEach(async () => {
    world = await new ProxyWorld().start();
    priceEverything(world);
  });
  afterEach(() => world.close());

  const scene = SCENES['a streamed message'];

  it('are drained at most so many at a time: the oldest is cut and counted', async () => {
    world.drains = { total: 9, perTenant: 2 };
    await world.restart();
    for (let left = 0; left < 3; left += 1) {
      const standing = await new Standing(world, scene, 2).begun();
      standing.leave();
      await world.until(() => world.draining() > Math.min(left, 1), 'the gateway sees that the client left');
    }
    await world.until(() => world.ends().length > 0, 'the end of the oldest');
    expect(world.usages().map(({ data }) => [data.id, data.evidence])).toEqual([
      [world.reserved[0]?.hold_id, 'counted'],
    ]);
  });

  it('are those, too, that take no byte while bytes wait for them', async () => {
    world.stalledMs = 200;
    // Of an answer that does not end, no more than this is read for nobody.
    world.drainBytes = 1_000_000;
    await world.restart();
    const filler = `: ${'x'.repeat(65_536)}\n\n`;
    world.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(scene.parts[0]);
      const fill = (): void => {
        if (response.write(filler)) setImmediate(fill);
        else response.once('drain', fill);
      };
      fill();
    };
    send(world, { ...scene.request, onHead: (response) => void response.pause() });
    await expectEnd(world, {
      ...{ outcome: 'client_aborted', evidence: 'counted', cost: 71 * 12 },
      lines: { input_tokens: 70, output_tokens: 1 },
    });
  });

  it('are not those whose provider says nothing for longer', async () => {
    world.stalledMs = 100;
    await world.restart();
    const standing = await new Standing(world, scene, 2).begun();
    // The first look remembers what it sees, the second one finds that it has not changed.
    await world.until(() => world.stillnesses() > 2, 'the gateway has looked again and again');
    await standing.goOn();
    expect((await standing.got)?.body.toString()).toBe(scene.parts.join(''));
    await expectEnd(world, {
      ...{ outcome: 'completed', evidence: 'exact', cost: 100 * 12 },
      lines: scene.reported,
    });
  });
});
