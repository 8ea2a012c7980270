import { Body, Controller, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { SpoolState } from '@vendo/ledger-api';
import { z } from 'zod';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { OPERATOR_API } from './operator-api.js';
import { RepairsService } from './repairs.service.js';
import { IdPath, NewWriteOff, read, readId } from './requests.js';

/** What an operator sets right by hand. */
@Controller('api/admin')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class RepairsController {
  constructor(@Inject(RepairsService) private readonly repairs: RepairsService) {}

  @Documented({
    summary: 'Gives up the expired holds of a spool that never returns.',
    description: 'No money moves: what the spool reports after all is still charged, late.',
    path: IdPath,
    body: NewWriteOff,
    answer: { status: 200, body: z.strictObject({ spool: SpoolState }) },
    refuses: ['invalid_request', 'not_found', 'spool_in_use'],
  })
  @Post('spools/:id/write-off')
  @HttpCode(200)
  async writeOff(@Param('id') id: string, @Body() body: unknown) {
    const spoolId = readId(id);
    const { note } = read(NewWriteOff, body);
    return { spool: await this.repairs.writeOff(spoolId, note) };
  }

  @Documented({
    summary: 'Decides a parked record again, and what is parked behind it.',
    description:
      'Of the ledger (`ledger-12`): answered when it is done. Of a projection (`projection-5`): the projector folds it within seconds; while it stays in the list, its reason says why.',
    path: z.strictObject({ id: z.string() }),
    answer: { status: 200, body: z.strictObject({ replayed: z.string() }) },
    // Asks for nothing but its path; a body that is no JSON is refused all the same.
    refuses: ['invalid_body', 'not_found', 'still_parked'],
  })
  @Post('parked/:id/replay')
  @HttpCode(200)
  async replay(@Param('id') id: string) {
    await this.repairs.replay(id);
    return { replayed: id };
  }
}
