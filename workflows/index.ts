/** Every workflow a worker serves, by the name it is started with. */
export { transferGroup } from './transfer-group';
export { transfer } from './transfer';
export { sweep } from './sweep';
