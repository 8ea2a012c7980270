import { JSON_TYPE, post, type Scenes, UNCOUNTED } from './memory.scene.contract.js';

const ONE = { requests: 1 };
/** $0.025 with 20 %, and the request. */
const SUBMITTED = { reported: { ...ONE, usd: '0.025' }, cost: 30_012 };
const SUBMIT = {
  request: post('/muapi/api/v1/flux-dev-image', { prompt: 'a cat' }),
  type: JSON_TYPE,
  parts: ['{"request_id":"r-1",', '"status":"processing",', '"cost":{"amount_usd":0.025}}', ''],
  endsWithReport: true,
  ...SUBMITTED,
} as const;

export const SCENES: Scenes = {
  'a submit whose body names the cost': { ...SUBMIT, counted: [ONE, ONE, ONE] },
  'a submit whose head names the cost': {
    ...SUBMIT,
    headers: { 'x-muapi-cost-usd': '0.025' },
    counted: UNCOUNTED,
    atHead: true,
  },
};
