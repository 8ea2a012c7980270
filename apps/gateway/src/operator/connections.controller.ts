import { Body, Controller, Delete, Inject, Param, Patch, Post, UseGuards } from '@nestjs/common';
import { AdminGuard } from './admin.guard.js';
import { ConnectionsService } from './connections.service.js';
import { KeysService } from './keys.service.js';
import { ConnectionChange, NewConnection, NewConnectionKey, read, readId } from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
export class ConnectionsController {
  constructor(
    @Inject(ConnectionsService) private readonly connections: ConnectionsService,
    @Inject(KeysService) private readonly keys: KeysService,
  ) {}

  @Post('tenants/:id/connections')
  async create(@Param('id') id: string, @Body() body: unknown) {
    return { connection: await this.connections.create(readId(id), read(NewConnection, body)) };
  }

  @Patch('connections/:id')
  async change(@Param('id') id: string, @Body() body: unknown) {
    const { status } = read(ConnectionChange, body);
    return { connection: await this.connections.setStatus(readId(id), status) };
  }

  @Post('connections/:id/keys')
  async issueKey(@Param('id') id: string, @Body() body: unknown) {
    return { key: await this.connections.issueKey(readId(id), read(NewConnectionKey, body ?? {})) };
  }

  @Delete('keys/:id')
  async revokeKey(@Param('id') id: string) {
    return { revoked_at: (await this.keys.revoke(readId(id))).toISOString() };
  }
}
