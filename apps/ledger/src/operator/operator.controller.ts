import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, UseGuards } from '@nestjs/common';
import { CommandBus, type Query, QueryBus } from '@nestjs/cqrs';
import { VendoError } from '@vendo/errors';
import {
  type Caps,
  type CreditEntry,
  GrantCredit,
  type OpenHold,
  type OverdueJob,
  type ParkedRecord,
  SetCaps,
  type SpoolState,
  WriteOff,
} from '@vendo/ledger-api';
import { z } from 'zod';
import { InternalGuard } from '../internal.guard.js';
import { parseRequest } from '../parse-request.js';
import { GrantCreditCommand, SetCapsCommand } from './commands.js';
import { OpenHoldsQuery, OverdueJobsQuery, ParkedQuery, SpoolsQuery } from './queries.js';
import { ReplayCommand } from './replay.js';
import { WriteOffCommand } from './write-off.js';

/** What operators do through the gateway: few calls, dispatched over the buses. */
@Controller('internal')
@UseGuards(InternalGuard)
export class OperatorController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post('credits')
  credit(@Body() body: unknown): Promise<CreditEntry> {
    return this.commands.execute(new GrantCreditCommand(parseRequest(GrantCredit, body)));
  }

  @Put('caps')
  caps(@Body() body: unknown): Promise<Caps> {
    return this.commands.execute(new SetCapsCommand(parseRequest(SetCaps, body)));
  }

  @Post('spools/write-off')
  @HttpCode(200)
  writeOff(@Body() body: unknown): Promise<SpoolState> {
    return this.commands.execute(new WriteOffCommand(parseRequest(WriteOff, body)));
  }

  @Post('parked/:id/replay')
  @HttpCode(200)
  async replay(@Param('id') id: string): Promise<object> {
    await this.commands.execute(new ReplayCommand(id));
    return {};
  }

  @Get('tenants/:id/holds')
  async holds(@Param('id') id: string): Promise<{ holds: OpenHold[] }> {
    return { holds: await this.read(new OpenHoldsQuery(parseRequest(z.uuid(), id))) };
  }

  @Get('spools')
  async spools(): Promise<{ spools: SpoolState[] }> {
    return { spools: await this.read(new SpoolsQuery()) };
  }

  @Get('parked')
  async parked(): Promise<{ parked: ParkedRecord[] }> {
    return { parked: await this.read(new ParkedQuery()) };
  }

  @Get('jobs/overdue')
  async overdueJobs(): Promise<{ jobs: OverdueJob[] }> {
    return { jobs: await this.read(new OverdueJobsQuery()) };
  }

  private read<Result>(query: Query<Result>): Promise<Result> {
    return this.queries.execute(query).catch((thrown: unknown) => {
      throw new VendoError('billing_unavailable', undefined, {}, { cause: thrown });
    });
  }
}
