import { Body, Controller, Delete, Inject, Param, Patch, Post, UseGuards } from '@nestjs/common';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { ConnectionAnswer, KeyAnswer, RevokedAnswer } from './answers.js';
import { ConnectionsService } from './connections.service.js';
import { KeysService } from './keys.service.js';
import { OPERATOR_API } from './operator-api.js';
import { ConnectionChange, IdPath, NewConnection, NewConnectionKey, read, readId } from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class ConnectionsController {
  constructor(
    @Inject(ConnectionsService) private readonly connections: ConnectionsService,
    @Inject(KeysService) private readonly keys: KeysService,
  ) {}

  @Documented({
    summary: 'Makes a connection of a tenant to a provider.',
    description:
      "The credential is stored sealed: a text with the profile byok_static; with a profile of a part of the pool's account, the part that the operator made for the tenant there, whose key is the pool key.",
    path: IdPath,
    body: NewConnection,
    answer: { status: 201, body: ConnectionAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Post('tenants/:id/connections')
  async create(@Param('id') id: string, @Body() body: unknown) {
    return { connection: await this.connections.create(readId(id), read(NewConnection, body)) };
  }

  @Documented({
    summary: 'Changes the status of a connection. Revoking forgets the credential for good.',
    path: IdPath,
    body: ConnectionChange,
    answer: { status: 200, body: ConnectionAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Patch('connections/:id')
  async change(@Param('id') id: string, @Body() body: unknown) {
    const { status } = read(ConnectionChange, body);
    return { connection: await this.connections.setStatus(readId(id), status) };
  }

  @Documented({
    summary: 'Issues a key of a connection, with caps of its own; its plain text is shown this once.',
    path: IdPath,
    body: NewConnectionKey,
    answer: { status: 201, body: KeyAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Post('connections/:id/keys')
  async issueKey(@Param('id') id: string, @Body() body: unknown) {
    return {
      key: await this.connections.issueKey(
        readId(id),
        read(NewConnectionKey, body === undefined ? {} : body),
      ),
    };
  }

  @Documented({
    summary: 'Revokes a key everywhere within a second. A repeat answers the first revocation.',
    path: IdPath,
    answer: { status: 200, body: RevokedAnswer },
    refuses: ['not_found'],
  })
  @Delete('keys/:id')
  async revokeKey(@Param('id') id: string) {
    return { revoked_at: (await this.keys.revoke(readId(id))).toISOString() };
  }
}
