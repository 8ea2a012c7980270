import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fuzz, installSchemathesis } from '../../tools/fuzz/schemathesis.js';
import { type IdentityProvider, identityProvider } from '../harness/identity-provider.js';
import { type Customer, type ProductUnderTest, productForTests } from '../harness/index.js';

const VAR = path.join(import.meta.dirname, '..', '..', 'var');
const EXAMPLES = 4;

// Installed before the suites are declared, so that a machine without Python says so and runs nothing.
const command = await installSchemathesis(VAR);
if (command === null) process.stderr.write('THE APIS WERE NOT FUZZED: there is no Python 3 with venv\n');

if (command === null)
  it('may not be run without Python where everything must hold', () =>
    expect(process.env.CI).toBeUndefined());
else
  describe('requests made up from the OpenAPI document', () => {
    let product: ProductUnderTest;
    let identities: IdentityProvider;
    let customer: Customer;

    beforeAll(async () => {
      identities = await identityProvider();
      product = await productForTests({ env: { VENDO_JWKS_URL: identities.jwksUrl } });
      customer = await product.customer();
    });

    afterAll(async () => {
      identities?.stop();
      await product?.stop();
    });

    const found = (paths: string, bearer: string) =>
      fuzz(command, { url: product.urls.gateway, paths, bearer, examples: EXAMPLES });

    it('find no fault in the operator API', async () =>
      expect(await found('^/api/admin/', product.secrets.adminToken)).toBeNull());

    it('find no fault in the billing API by a key', async () =>
      expect(await found('^/api/(billing|v1|cli)/', customer.key)).toBeNull());

    it('find no fault in the billing API by a token', async () => {
      const token = await identities.tokenOf('fuzzer', 'fuzzer@example.com');
      expect(await found('^/api/(billing|v1)/', token)).toBeNull();
    });

    it('ended no process', () => expect(product.deaths()).toEqual([]));
  });
