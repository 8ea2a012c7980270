import type { BatchQuestion } from '../journal/journal.js';
import type { WalletCommand } from '../wallet/wallet.js';
import type { Book } from './book.js';
import type { Work } from './work.js';

/** What the works name and the book lacks. */
export function questionOf(works: readonly Work[], book: Book): BatchQuestion {
  const tenants = new Set<string>();
  const holds = new Set<string>();
  const credits: { tenantId: string; key: string }[] = [];
  for (const holdId of works.flatMap(jobHoldOf)) if (!book.holds.has(holdId)) holds.add(holdId);
  for (const command of works.flatMap(commandsOf)) {
    if (!book.wallets.has(command.tenantId)) tenants.add(command.tenantId);
    if ('holdId' in command && !book.holds.has(command.holdId)) holds.add(command.holdId);
    if (command.type === 'grant') credits.push({ tenantId: command.tenantId, key: command.idempotencyKey });
  }
  return { tenants: [...tenants], holds: [...holds], credits };
}

function commandsOf(work: Work): WalletCommand[] {
  if (work.kind === 'command') return [work.command];
  return 'report' in work && 'command' in work.report.asks ? [work.report.asks.command] : [];
}

function jobHoldOf(work: Work): string[] {
  return 'report' in work && work.report.asks.kind === 'job' ? [work.report.asks.job.hold_id] : [];
}

/** The shards that a work is decided on; none for a renewal, which takes those that are due. Leaving is for those still there. */
export function shardsOf(work: Work, book: Book): readonly number[] {
  switch (work.kind) {
    case 'command':
      return [book.shardOf(work.command.tenantId)];
    case 'report':
    case 'replay':
      return [work.report.partition];
    case 'leave':
      return work.shards.filter((shard) => book.shards.has(shard));
    case 'renew':
      return [];
  }
}
