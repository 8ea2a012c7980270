export {
  type Customer,
  type ProductOptions,
  type ProductUnderTest,
  productForTests,
} from './product-under-test.js';
