import { describe, expect, it } from '@jest/globals';
import { behaviourOf, DIRECTIVES } from '../../apps/sandbox/src/directives.js';
import { DEMO_MODELS } from '../../tools/standalone/demo.js';

describe('the sandbox models that the demo has prices for', () => {
  it.each(DEMO_MODELS)('%s is a name that the sandbox understands', (model) =>
    expect(behaviourOf(model)).not.toBeNull(),
  );

  it('show every behaviour of the sandbox', () => {
    const shown = DEMO_MODELS.flatMap((model) =>
      model.replace('sandbox-', '').replace(/\d+/g, 'N').split('-'),
    );
    expect(Object.keys(DIRECTIVES).filter((directive) => !shown.includes(directive))).toEqual([]);
  });
});
