import { GATEWAY_TOPIC, type VendoEvent } from '@vendo/events';
import { addToRollups, insertUsageEvents, USAGE_TABLES } from '@vendo/read-models';
import type { Fact, Projection } from '../../projection.js';

/** Usage events and their hourly roll-ups, from what gateways measured. */
export const usage: Projection<'UsageMeasured.v2'> = {
  name: 'usage',
  topic: GATEWAY_TOPIC,
  tables: USAGE_TABLES,
  handles: ['UsageMeasured.v2'],
  order: 'facts',
  refuse,
  async apply(tx, facts) {
    const fresh = await insertUsageEvents(tx, firstPerHold(facts));
    if (fresh.length > 0) await addToRollups(tx, fresh);
  },
};

/** A roll-up equals the journal only while an event's lines sum to its cost. */
function refuse({ tenantId, data }: VendoEvent<'UsageMeasured.v2'>): string | null {
  if (tenantId !== data.tenant_id) return `the event of tenant ${tenantId} names tenant ${data.tenant_id}`;
  const sum = data.lines.reduce((total, line) => total + BigInt(line.cost_micros), 0n);
  return sum === BigInt(data.cost_micros)
    ? null
    : `lines sum to ${sum} micros, the event costs ${data.cost_micros}`;
}

/** The first report of a hold's usage wins, in one batch as across batches. */
function firstPerHold(facts: readonly Fact<'UsageMeasured.v2'>[]): VendoEvent<'UsageMeasured.v2'>['data'][] {
  const byHold = new Map<string, VendoEvent<'UsageMeasured.v2'>['data']>();
  for (const { event } of facts) if (!byHold.has(event.data.id)) byHold.set(event.data.id, event.data);
  return [...byHold.values()];
}
