import { createServer, type RequestListener, type Server } from 'node:http';
import {
  type BeforeApplicationShutdown,
  Controller,
  type DynamicModule,
  HttpCode,
  Inject,
  Injectable,
  Module,
  Post,
} from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { RuntimeModule, startApp } from '@vendo/runtime';
import type { SandboxConfig } from './config.js';
import { answerUpstream, upstreamOf } from './upstreams.js';
import { releaseStreams } from './wire.js';

const SERVER = Symbol('sandbox server');

/** Open streams and hanging calls end when the sandbox does, as they would when a real upstream goes away. */
@Injectable()
class OpenCalls implements BeforeApplicationShutdown {
  constructor(@Inject(SERVER) private readonly server: { current: Server | null }) {}

  beforeApplicationShutdown(): void {
    this.server.current?.close();
    this.server.current?.closeAllConnections();
  }
}

/** What no provider has: for those who test. */
@Controller()
class TestsController {
  @Post('release')
  @HttpCode(204)
  release(): void {
    releaseStreams();
  }
}

@Module({})
export class SandboxModule {
  static from(logLevel: string, server: { current: Server | null }): DynamicModule {
    return {
      module: SandboxModule,
      imports: [RuntimeModule.forApp('sandbox', logLevel)],
      controllers: [TestsController],
      providers: [{ provide: SERVER, useValue: server }, OpenCalls],
    };
  }
}

/** Starts the stand-in. Providers are answered on the raw server, cheaply, because benches run against it; Nest answers the rest. */
export function startSandbox(config: SandboxConfig): Promise<NestFastifyApplication> {
  const server: { current: Server | null } = { current: null };
  const adapter = new FastifyAdapter({
    serverFactory: (handler: RequestListener) => {
      server.current = createServer((request, response) => {
        const told = upstreamOf(request.url ?? '', request.headers);
        if (told) answerUpstream(request, response, told);
        else handler(request, response);
      });
      // Longer than the gateway keeps its connections, so that it never writes into one that is just closing.
      server.current.keepAliveTimeout = 60_000;
      return server.current;
    },
  });
  return startApp({
    module: SandboxModule.from(config.VENDO_LOG_LEVEL, server),
    adapter,
    host: config.SANDBOX_HOST,
    port: config.SANDBOX_PORT,
  });
}
