export {
  ERRORS,
  type ErrorCode,
  type ErrorDetails,
  type ErrorResponse,
  errorResponse,
  VendoError,
} from './errors.js';
export { VendoErrorFilter } from './vendo-error.filter.js';
