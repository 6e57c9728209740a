import { sleep } from '@temporalio/workflow';
import * as current from '../../workflows';

type Run = (...args: never[]) => Promise<unknown>;

/** The workflows as a careless change would leave them: each does something first that no history knows. */
const changed = (run: Run): Run =>
  async function (...args) {
    await sleep(1);
    return run(...args);
  };

export const transferGroup = changed(current.transferGroup);
export const transfer = changed(current.transfer);
export const deposit = changed(current.deposit);
export const withdrawal = changed(current.withdrawal);
export const adjustment = changed(current.adjustment);
export const credit = changed(current.credit);
export const bankAccount = changed(current.bankAccount);
export const sweep = changed(current.sweep);
export const notify = changed(current.notify);
export const reconcile = changed(current.reconcile);
export const prepareMonths = changed(current.prepareMonths);
export const writeSnapshots = changed(current.writeSnapshots);
export const rotateKeys = changed(current.rotateKeys);
