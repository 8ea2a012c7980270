import { Body, Controller, Delete, HttpCode, Inject, Param, Patch, Post, UseGuards } from '@nestjs/common';
import { AdminGuard } from './admin.guard.js';
import { AppsService } from './apps.service.js';
import { BindingsService } from './bindings.service.js';
import { AppChange, NewApp, NewAppKey, NewBinding, read, readId, readSlug } from './requests.js';

@Controller('api/admin')
@UseGuards(AdminGuard)
export class AppsController {
  constructor(
    @Inject(AppsService) private readonly apps: AppsService,
    @Inject(BindingsService) private readonly bindings: BindingsService,
  ) {}

  @Post('tenants/:id/apps')
  create(@Param('id') id: string, @Body() body: unknown) {
    return this.apps.create(readId(id), read(NewApp, body));
  }

  @Patch('apps/:id')
  async change(@Param('id') id: string, @Body() body: unknown) {
    return { app: await this.apps.change(readId(id), read(AppChange, body)) };
  }

  @Post('apps/:id/keys')
  async issueKey(@Param('id') id: string, @Body() body: unknown) {
    return { key: await this.apps.issueKey(readId(id), read(NewAppKey, body ?? {}).display_name) };
  }

  @Post('apps/:id/bindings')
  async bind(@Param('id') id: string, @Body() body: unknown) {
    const { provider_slug, connection_id } = read(NewBinding, body);
    return { binding: await this.bindings.bind(readId(id), provider_slug, connection_id) };
  }

  @Delete('apps/:id/bindings/:slug')
  @HttpCode(204)
  async unbind(@Param('id') id: string, @Param('slug') slug: string): Promise<void> {
    await this.bindings.unbind(readId(id), readSlug(slug));
  }
}
