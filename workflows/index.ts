/** Every workflow a worker serves, by the name it is started with. */
export { transferGroup } from './transfer-group';
export { transfer } from './transfer';
export { deposit } from './deposit';
export { withdrawal } from './withdrawal';
export { adjustment } from './adjustment';
export { credit } from './credit';
export { bankAccount } from './bank-account';
export { sweep } from './sweep';
export { notify } from './notify';
export { reconcile } from './reconcile';
export { prepareMonths } from './prepare-months';
export { writeSnapshots } from './write-snapshots';
export { rotateKeys } from './rotate-keys';
