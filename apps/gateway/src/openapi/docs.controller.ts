import { Controller, Get, Header, Inject, type OnApplicationBootstrap } from '@nestjs/common';
import type { oas31 } from 'zod-openapi';
import { docsPage } from './docs-page.js';
import { isDocumented, openApiDocument } from './document.js';
import { Routes } from './routes.js';

/** The billing and the operator API, described for machines and for people. It is the same for everybody and says nothing of any tenant. */
@Controller('api/docs')
export class DocsController implements OnApplicationBootstrap {
  private document: oas31.OpenAPIObject;
  private html: string;

  constructor(@Inject(Routes) private readonly routes: Routes) {}

  onApplicationBootstrap(): void {
    this.document = openApiDocument(this.routes.all().filter(isDocumented));
    this.html = docsPage(this.document);
  }

  @Get('openapi.json')
  @Header('access-control-allow-origin', '*')
  json(): oas31.OpenAPIObject {
    return this.document;
  }

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  page(): string {
    return this.html;
  }
}
