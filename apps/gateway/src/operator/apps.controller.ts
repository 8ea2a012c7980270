import { Body, Controller, Delete, HttpCode, Inject, Param, Patch, Post, UseGuards } from '@nestjs/common';
import { Documented, DocumentedApi } from '../openapi/documented.js';
import { AdminGuard } from './admin.guard.js';
import { AppAnswer, BindingAnswer, KeyAnswer, NewAppAnswer } from './answers.js';
import { AppsService } from './apps.service.js';
import { BindingsService } from './bindings.service.js';
import { OPERATOR_API } from './operator-api.js';
import {
  AppChange,
  BindingPath,
  IdPath,
  NewApp,
  NewAppKey,
  NewBinding,
  read,
  readId,
  readSlug,
} from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
@DocumentedApi(OPERATOR_API)
export class AppsController {
  constructor(
    @Inject(AppsService) private readonly apps: AppsService,
    @Inject(BindingsService) private readonly bindings: BindingsService,
  ) {}

  @Documented({
    summary: 'Makes an app with its first key, whose plain text is shown this once.',
    description: 'Spend caps are USD, numbers or numeric strings, to the micro; null or absent is none.',
    path: IdPath,
    body: NewApp,
    answer: { status: 201, body: NewAppAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Post('tenants/:id/apps')
  create(@Param('id') id: string, @Body() body: unknown) {
    return this.apps.create(readId(id), read(NewApp, body));
  }

  @Documented({
    summary: 'Changes the name or the spend caps of an app.',
    description: 'An absent cap stays as it is, null clears it. Caps are in force when the answer comes.',
    path: IdPath,
    body: AppChange,
    answer: { status: 200, body: AppAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Patch('apps/:id')
  async change(@Param('id') id: string, @Body() body: unknown) {
    return { app: await this.apps.change(readId(id), read(AppChange, body)) };
  }

  @Documented({
    summary: 'Issues another key of an app, whose plain text is shown this once.',
    path: IdPath,
    body: NewAppKey,
    answer: { status: 201, body: KeyAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Post('apps/:id/keys')
  async issueKey(@Param('id') id: string, @Body() body: unknown) {
    return {
      key: await this.apps.issueKey(readId(id), read(NewAppKey, body === undefined ? {} : body).display_name),
    };
  }

  @Documented({
    summary: 'Binds an app to a connection of its tenant.',
    description:
      'Without a connection: to the managed pool of the provider. The same binding again answers the one there is.',
    path: IdPath,
    body: NewBinding,
    answer: { status: 201, body: BindingAnswer },
    refuses: ['invalid_request', 'not_found'],
  })
  @Post('apps/:id/bindings')
  async bind(@Param('id') id: string, @Body() body: unknown) {
    const { provider_slug, connection_id } = read(NewBinding, body);
    return { binding: await this.bindings.bind(readId(id), provider_slug, connection_id) };
  }

  @Documented({
    summary: 'Ends all bindings of an app and provider.',
    path: BindingPath,
    answer: { status: 204, body: null },
    refuses: ['not_found'],
  })
  @Delete('apps/:id/bindings/:slug')
  @HttpCode(204)
  async unbind(@Param('id') id: string, @Param('slug') slug: string): Promise<void> {
    await this.bindings.unbind(readId(id), readSlug(slug));
  }
}
