import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DocsController } from './docs.controller.js';
import { Routes } from './routes.js';

/** `/api/docs`: the declarations of all documented routes of the app, as OpenAPI 3.1. */
@Module({ imports: [DiscoveryModule], controllers: [DocsController], providers: [Routes] })
export class OpenApiModule {}
