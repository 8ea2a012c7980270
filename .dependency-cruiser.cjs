/** The arrows of docs/architecture.md, as errors. `npm run arrows` checks them; test/structure plants a violation. */
const rooms = (...names) => `^libs/(${names.join('|')})/`;

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'apps-never-import-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-never-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|tools|test|bench)/' },
    },
    {
      name: 'money-imports-nothing',
      severity: 'error',
      from: { path: rooms('money') },
      to: { path: '^libs/', pathNot: rooms('money') },
    },
    {
      name: 'events-and-errors-know-money-only',
      severity: 'error',
      from: { path: rooms('events', 'errors') },
      to: { path: '^libs/', pathNot: rooms('money', '$1') },
    },
    {
      name: 'middle-libs-know-the-lower-ones-only',
      severity: 'error',
      from: {
        path: rooms('ledger-api', 'registry', 'pricing', 'read-models', 'event-log', 'runtime'),
        pathNot: '\\.(spec|contract)\\.ts$',
      },
      to: { path: '^libs/', pathNot: rooms('events', 'errors', 'money', 'runtime', '$1') },
    },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/testing/', '\\.(spec|contract)\\.ts$'] },
      to: { path: rooms('testing') },
    },
    {
      name: 'wallet-is-pure',
      severity: 'error',
      from: { path: '^apps/ledger/src/wallet/', pathNot: '\\.spec\\.ts$' },
      to: { path: ['node_modules/(@nestjs|pg|kafkajs|fastify)', '^libs/(runtime|event-log)/'] },
    },
    {
      name: 'wallet-is-pure',
      severity: 'error',
      from: { path: '^apps/ledger/src/wallet/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'money-and-pricing-are-pure',
      severity: 'error',
      from: { path: rooms('money', 'events'), pathNot: '\\.spec\\.ts$' },
      to: { path: 'node_modules/(@nestjs|pg|kafkajs|typeorm|undici)' },
    },
    {
      name: 'adapters-are-named-in-modules-only',
      severity: 'error',
      from: {
        path: '^apps/',
        pathNot: [
          '\\.module\\.ts$',
          '\\.spec\\.ts$',
          '/(postgres|kafka|memory|http|undici|file)\\.[^/]+\\.ts$',
        ],
      },
      to: { path: '/(postgres|kafka|memory|http|undici|file)\\.[^/]+\\.ts$' },
    },
    {
      name: 'kafkajs-stays-in-its-adapter',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/event-log/src/kafka', '^libs/testing/'] },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'sandbox-knows-no-room',
      severity: 'error',
      from: { path: '^apps/sandbox/' },
      to: { path: '^libs/', pathNot: rooms('runtime') },
    },
    {
      name: 'conformance-knows-neither-pricing-nor-money',
      severity: 'error',
      from: { path: '^test/conformance/' },
      to: { path: ['^libs/(pricing|money)/', '^apps/gateway/src/providers/'] },
    },
    { name: 'specs-are-leaves', severity: 'error', from: {}, to: { path: '\\.spec\\.ts$' } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-the-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/testing/', '\\.(spec|contract)\\.ts$'] },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main'],
    },
  },
};
