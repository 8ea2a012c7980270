import { runMain, startApp } from '@vendo/runtime';
import { projectorConfig } from './config.js';
import { ProjectorModule } from './projector.module.js';

runMain(() => {
  const config = projectorConfig(process.env);
  return startApp({
    module: ProjectorModule.from(config),
    host: config.PROJECTOR_HOST,
    port: config.PROJECTOR_PORT,
  });
});
