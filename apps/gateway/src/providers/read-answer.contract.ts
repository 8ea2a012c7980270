import { createParser } from 'eventsource-parser';
import type { EventVerdict, MeteredRequest, Provider, UsageMeter } from './provider.js';
import { matchRoute } from './route-table.js';

/** For specs: reads a request body by the provider's own route table. */
export function readRequest(provider: Provider, path: string, body: unknown): MeteredRequest {
  const route = matchRoute(provider, 'POST', path);
  if (route?.class !== 'metered') throw new Error(`${path} is not metered`);
  return route.read(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

/** For specs: feeds a recorded event stream to a meter as the tap does; answers the verdict of each event. */
export function feedStream(meter: UsageMeter, recorded: string): EventVerdict[] {
  const verdicts: EventVerdict[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => verdicts.push(meter.onEvent({ event: event ?? '', data })),
  });
  parser.feed(`${recorded}\n\n`);
  return verdicts;
}

/** For specs: quantities as `{meter: count}`, `meter@model` where a line names its model. */
export function counted(meter: UsageMeter): Record<string, number> {
  return Object.fromEntries(
    meter
      .reading()
      .quantities.map((line) => [
        line.model ? `${line.meter}@${line.model}` : line.meter,
        Number(line.quantity.toDecimal()),
      ]),
  );
}
