export { allocate } from './allocate.js';
export { MICROS_PER_USD, type Micros, microsFromUsd, microsFromWire, microsToWire } from './micros.js';
export { Rational } from './rational.js';
