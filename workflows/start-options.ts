import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { searchAttributes, type TransferItem } from '../contracts/transfers';
import type { TransactionStatus, TransactionType } from '../contracts/statuses';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

const statusKey = keyword(searchAttributes.status);
const reasonKey = keyword(searchAttributes.reason);

/** How it stands, for people who search. */
export const standing = (status: TransactionStatus, reason?: string) => [
  { key: statusKey, value: status },
  { key: reasonKey, value: reason ?? null },
];

/** How a transfer's own workflow looks in the Web UI from its first moment. */
export function transferStartOptions(item: TransferItem, status: TransactionStatus = 'pending') {
  return {
    staticSummary: `Transfer of ${item.amountMinor} minor units ${item.currency}`,
    staticDetails: `Transaction \`${item.id}\`, from \`${item.from}\` to \`${item.to ?? 'an unknown recipient'}\`.`,
    typedSearchAttributes: searchAttributesOf({
      id: item.id,
      type: item.type ?? 'transfer',
      currency: item.currency,
      status,
    }),
  };
}

/** What a workflow's summary says of a payment; its facts are in Postgres. */
export interface StartedPayment {
  id: string;
  type: TransactionType;
  status: TransactionStatus;
  currency: string;
  amountMinor: string;
}

/** How a payment's workflow looks in the Web UI from its first moment. */
export function paymentStartOptions({ id, type, status, currency, amountMinor }: StartedPayment) {
  const name = type.charAt(0).toUpperCase() + type.slice(1);
  return {
    staticSummary: `${name} of ${amountMinor} minor units ${currency}`,
    staticDetails: `Transaction \`${id}\`.`,
    typedSearchAttributes: searchAttributesOf({ id, type, currency, status }),
  };
}

function searchAttributesOf(of: { id: string; type: TransactionType; currency: string; status: TransactionStatus }) {
  return new TypedSearchAttributes([
    { key: keyword(searchAttributes.transactionId), value: of.id },
    { key: keyword(searchAttributes.type), value: of.type },
    { key: keyword(searchAttributes.currency), value: of.currency },
    { key: statusKey, value: of.status },
  ]);
}
