import { createParser } from 'eventsource-parser';
import type { EventVerdict, MeteredRequest, Provider, Reading, UsageMeter } from './provider.js';
import { matchRoute } from './route-table.js';

/** For specs: reads a request body by the provider's own route table. */
export function readRequest(
  provider: Provider,
  path: string,
  body: unknown,
  contentType = 'application/json',
): MeteredRequest {
  const { route, params } = matchRoute(provider, 'POST', path) ?? {};
  if (route?.class !== 'metered') throw new Error(`${path} is not metered`);
  const read = route.read({
    body: Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    params: params ?? {},
    query: new URL(path, 'http://provider').searchParams,
    contentType,
  });
  if (read instanceof Promise) throw new Error(`${path} takes a form`);
  return read;
}

/** For specs: reads a form by the provider's own route table; a list is a field that stands several times. */
export async function readFormRequest(
  provider: Provider,
  path: string,
  fields: Readonly<Record<string, string | Blob | readonly string[]>>,
): Promise<MeteredRequest> {
  const { route, params } = matchRoute(provider, 'POST', path) ?? {};
  if (route?.class !== 'metered') throw new Error(`${path} is not metered`);
  const form = new FormData();
  for (const [name, field] of Object.entries(fields))
    for (const value of Array.isArray(field) ? (field as readonly string[]) : [field as string | Blob])
      form.append(name, value);
  const encoded = new Response(form);
  return route.read({
    contentType: encoded.headers.get('content-type') ?? '',
    body: Buffer.from(await encoded.arrayBuffer()),
    params: params ?? {},
    query: new URL(path, 'http://provider').searchParams,
  });
}

/** For specs: feeds a recorded event stream to a meter, every event of it; answers the verdict of each event. */
export function feedStream(meter: UsageMeter, recorded: string): EventVerdict[] {
  const verdicts: EventVerdict[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => verdicts.push(meter.onEvent({ event: event ?? '', data })),
  });
  parser.feed(`${recorded}\n\n`);
  return verdicts;
}

/** For specs: what is reported as `{meter: count}`, `meter@model` where a line names its model. */
export function reported(meter: UsageMeter): Record<string, number> {
  return linesOf(meter.reading());
}

/** For specs: the lower bound of an answer of which only this has come, in the form of `reported`. */
export function countedAfter(meter: UsageMeter, events: readonly string[]): Record<string, number> {
  for (const event of events) {
    meter.output?.takeEvents(Buffer.from(event));
    feedStream(meter, event);
  }
  return linesOf(meter.counted());
}

function linesOf({ quantities }: Reading): Record<string, number> {
  return Object.fromEntries(
    quantities.map((line) => [
      line.model ? `${line.meter}@${line.model}` : line.meter,
      Number(line.quantity.toDecimal()),
    ]),
  );
}
