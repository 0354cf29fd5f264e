-- Two of pgledger's transfers: the payment and its fee, each a commit.
SELECT id FROM pgledger_create_transfer(:receivable, :payable, 19.99);
SELECT id FROM pgledger_create_transfer(:payable, :fees, 0.55);
