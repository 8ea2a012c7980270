import { Inject, Injectable, RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type ApiDoc, apiDocOf, type RouteDoc, routeDocOf } from './documented.js';

/** A handler of this app under one of its paths. */
export interface Route {
  /** In lower case. */
  method: string;
  /** As OpenAPI writes it: `/api/admin/apps/{id}`. */
  path: string;
  api: ApiDoc | undefined;
  doc: RouteDoc | undefined;
}

/** Every route that this app's controllers have, documented or not: read off the controllers themselves. */
@Injectable()
export class Routes {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
  ) {}

  all(): Route[] {
    return this.discovery.getControllers().flatMap(({ metatype }) => this.routesOf(metatype as Type));
  }

  private routesOf(controller: Type): Route[] {
    const api = apiDocOf(controller);
    return this.scanner.getAllMethodNames(controller.prototype as object).flatMap((name) => {
      const handler = (controller.prototype as Record<string, object>)[name] ?? {};
      const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
      if (method === undefined) return [];
      return joined(controller, handler).map((path) => ({
        method: (RequestMethod[method] ?? '').toLowerCase(),
        path,
        api,
        doc: routeDocOf(handler),
      }));
    });
  }
}

function joined(controller: object, handler: object): string[] {
  return pathsOf(controller).flatMap((prefix) =>
    pathsOf(handler).map(
      (rest) => `/${[prefix, rest].join('/').split('/').filter(Boolean).map(inBraces).join('/')}`,
    ),
  );
}

function pathsOf(decorated: object): string[] {
  return [Reflect.getMetadata(PATH_METADATA, decorated) as string | string[]].flat();
}

function inBraces(segment: string): string {
  return segment.startsWith(':') ? `{${segment.slice(1)}}` : segment;
}
