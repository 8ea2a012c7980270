import { describe, expect, it } from '@jest/globals';
import { GATEWAY_TOPIC } from '@vendo/events';
import { eventLogContract, record } from './event-log.contract.js';
import type { EventLog } from './event-log.js';
import { MemoryEventLog, MemoryLogStore } from './memory.event-log.js';

describe('MemoryEventLog', () => {
  eventLogContract(async () => {
    const store = new MemoryLogStore();
    const handles: EventLog[] = [];
    return {
      open() {
        const handle = new MemoryEventLog(store);
        handles.push(handle);
        return handle;
      },
      async dispose() {
        for (const handle of handles) await handle.close();
      },
    };
  });

  it('is ready when somebody else has created the topics', async () => {
    const store = new MemoryLogStore();
    const ready = new MemoryEventLog(store).ready(2, new AbortController().signal);
    await new MemoryEventLog(store).createTopics(2);
    await expect(ready).resolves.toBeUndefined();
  });

  it('appends nothing once it is closed', async () => {
    const log = new MemoryEventLog();
    await log.createTopics(1);
    await log.close();
    await expect(log.append(GATEWAY_TOPIC, 0, [record('a')])).rejects.toThrow('closed');
  });
});
