/** DI token of the pool of the operators' reads, apart from the writer's. */
export const OPERATOR_POOL = Symbol('operator pool');
