import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { runMain, startApp } from '@vendo/runtime';
import { gatewayConfig } from './config.js';
import { Edge } from './edge/edge.js';
import { GatewayModule } from './gateway.module.js';
import { ProxyService } from './proxy/proxy.service.js';

const OPERATOR_BODY_LIMIT = 1_048_576;
/** 25 s for open calls (proxy/limits.ts), and what spool and connections take after them. */
const CLOSE_WITHIN_MS = 32_000;

function start(): Promise<NestFastifyApplication> {
  const config = gatewayConfig(process.env);
  const edge = new Edge({ domain: config.VENDO_DOMAIN, bodyLimit: OPERATOR_BODY_LIMIT });
  return startApp({
    module: GatewayModule.from(config),
    host: config.GATEWAY_HOST,
    port: config.GATEWAY_PORT,
    adapter: edge.adapter,
    prepare: (app) => edge.serve(app.get(ProxyService).serve),
  });
}

runMain(start, { closeWithinMs: CLOSE_WITHIN_MS, hurry: (app) => app.get(ProxyService).hurry() });
