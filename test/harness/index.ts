export { type Customer, type ProductUnderTest, productForTests } from './product-under-test.js';
