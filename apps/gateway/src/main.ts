import { runMain, startApp } from '@vendo/runtime';
import { gatewayConfig } from './config.js';
import { Edge } from './edge/edge.js';
import { GatewayModule } from './gateway.module.js';
import { ProxyService } from './proxy/proxy.service.js';

const OPERATOR_BODY_LIMIT = 1_048_576;

runMain(() => {
  const config = gatewayConfig(process.env);
  const edge = new Edge({ domain: config.VENDO_DOMAIN, bodyLimit: OPERATOR_BODY_LIMIT });
  return startApp({
    module: GatewayModule.from(config),
    host: config.GATEWAY_HOST,
    port: config.GATEWAY_PORT,
    adapter: edge.adapter,
    prepare: (app) => edge.serve(app.get(ProxyService).serve),
  });
});
