import { Body, Controller, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { AdminGuard } from './admin.guard.js';
import { RepairsService } from './repairs.service.js';
import { NewWriteOff, read, readId } from './requests.js';

/** What an operator sets right by hand. */
@Controller('api/admin')
@UseGuards(AdminGuard)
export class RepairsController {
  constructor(@Inject(RepairsService) private readonly repairs: RepairsService) {}

  @Post('spools/:id/write-off')
  @HttpCode(200)
  async writeOff(@Param('id') id: string, @Body() body: unknown) {
    const spoolId = readId(id);
    const { note } = read(NewWriteOff, body);
    return { spool: await this.repairs.writeOff(spoolId, note) };
  }

  @Post('parked/:id/replay')
  @HttpCode(200)
  async replay(@Param('id') id: string) {
    await this.repairs.replay(id);
    return { replayed: id };
  }
}
