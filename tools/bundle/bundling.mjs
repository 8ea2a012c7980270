/** What CommonJS packages expect around them. */
export const SURROUNDINGS = `
import { createRequire as bundledRequire } from 'node:module';
import bundledPath from 'node:path';
const require = bundledRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;
`;

/**
 * An esbuild plugin: packages ask for others that are used where they are there, and the running process is asked for
 * those, and for what `staysOutside` says by the package's name and the module that asks.
 */
export function packages(staysOutside = () => false) {
  const plugin = {
    name: 'packages',
    setup(bundler) {
      bundler.onResolve({ filter: /^[^./]/ }, async ({ path: name, pluginData, ...asking }) => {
        if (pluginData === plugin) return null;
        if (staysOutside(packageOf(name), asking.importer)) return { path: name, external: true };
        const found = await bundler.resolve(name, { ...asking, pluginData: plugin });
        return found.errors.length > 0 ? { path: name, external: true } : found;
      });
    },
  };
  return plugin;
}

function packageOf(name) {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/');
}
