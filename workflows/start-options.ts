import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes, type TransferItem } from '../contracts/transfers';
import type { TransactionStatus } from '../contracts/statuses';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

export const statusKey = keyword(searchAttributes.status);

/** How a transfer's own workflow looks in the Web UI from its first moment. */
export function transferStartOptions(item: TransferItem, status: TransactionStatus = 'pending') {
  return {
    staticSummary: `Transfer of ${item.amountMinor} minor units ${item.currency}`,
    staticDetails: `Transaction \`${item.id}\`, from \`${item.from}\` to \`${item.to ?? 'an unknown recipient'}\`.`,
    typedSearchAttributes: new TypedSearchAttributes([
      { key: keyword(searchAttributes.transactionId), value: item.id },
      { key: keyword(searchAttributes.type), value: 'transfer' },
      { key: keyword(searchAttributes.currency), value: item.currency },
      { key: statusKey, value: status },
    ]),
  };
}
