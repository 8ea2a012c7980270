import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { recordingsFolder } from '../../conformance/recordings-folder.js';
import type { ReplayUpstream } from '../../conformance/replay-upstream.js';
import { RECORDED } from './outside.js';
import type { Given, SdkProduct } from './product.js';
import type { Python } from './python.js';
import { SERVED, SERVED_TO_PYTHON, type Served } from './recorded-calls.js';

const folder = recordingsFolder('RECORDED ANSWERS FOR THE SDKS');

const CONTENT_TYPES: readonly (readonly [ending: string, contentType: string])[] = [
  ['.sse.txt', 'text/event-stream; charset=utf-8'],
  ['.mp3', 'audio/mpeg'],
  ['.json', 'application/json'],
];

/** @param python null: there is none, and it is left out. */
export function recordedStories(
  given: Given,
  replayed: () => ReplayUpstream,
  python: Promise<Python> | null,
): void {
  let product: SdkProduct;
  let upstream: ReplayUpstream;
  beforeAll(() => {
    product = given();
    upstream = replayed();
  });

  const fromPython = python
    ? SERVED_TO_PYTHON.map((served) => ({ ...served, ask: served.asked(python) }))
    : [];

  (folder ? describe : describe.skip)('of the real provider', () => {
    it.each([...SERVED, ...fromPython])(
      '$file is to $sdk what it is without us, and is charged by hand',
      async ({ provider, file, submitted, ask, parsed, micros, evidence = 'exact' }: Served) => {
        const { tenantId, key } = await ownConnection(provider);
        if (submitted) {
          const body = Buffer.from(JSON.stringify(submitted.answer));
          upstream.play({ status: 200, contentType: 'application/json', body });
          expect(await submitted.ask(product.proxyUrl(provider), key)).toEqual(submitted.answer);
        }
        upstream.play({
          status: 200,
          contentType: CONTENT_TYPES.find(([ending]) => file.endsWith(ending))?.[1] ?? '',
          body: readFileSync(path.join(folder ?? '', file)),
        });
        const answer = await ask(product.proxyUrl(provider), key);
        expect(answer).toMatchObject(parsed);
        const requests = upstream
          .requests()
          .map(({ path: target, headers }) => JSON.stringify([target, headers]));
        expect(requests).toEqual([expect.stringContaining(RECORDED)]);
        expect(requests.join()).not.toContain('vendo_sk_');
        expect(answer).toEqual(await ask(upstream.url, 'sk-direct'));
        if (micros === null) return;

        const [event] = await product.waitUntil(async () => {
          const events = await product.admin.usageEvents(tenantId);
          return events.length > 0 && events;
        }, 'the usage event');
        expect(event).toMatchObject({ cost_micros: micros, outcome: 'completed', evidence });
        await product.settled(tenantId);
        expect(await product.billing(key).usage('day')).toMatchObject({ total_micros: micros, calls: 1 });
      },
    );
  });

  /** A tenant with a credential of its own, which leads to what was recorded. */
  async function ownConnection(provider: Served['provider']): Promise<{ tenantId: string; key: string }> {
    const { admin } = product;
    const { id: tenantId } = await admin.createTenant();
    await admin.credit(tenantId, 10_000_000);
    const { id: appId, key } = await admin.createApp(tenantId);
    const { id } = await admin.connect(tenantId, provider, 'byok_static', RECORDED);
    await admin.bind(appId, provider, id);
    return { tenantId, key };
  }
}
