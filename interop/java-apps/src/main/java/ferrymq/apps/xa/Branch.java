package ferrymq.apps.xa;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.transaction.xa.Xid;

/** The name of a branch: the transaction's in the first part, the resource's in the second. */
record Branch(String global, String resource) implements Xid {
    private static final int FORMAT = 0x46455252;

    @Override
    public int getFormatId() {
        return FORMAT;
    }

    @Override
    public byte[] getGlobalTransactionId() {
        return global.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public byte[] getBranchQualifier() {
        return resource.getBytes(StandardCharsets.US_ASCII);
    }

    /** The transaction's name, where the branch is one of ours. */
    static String global(Xid xid) {
        return xid.getFormatId() == FORMAT ? new String(xid.getGlobalTransactionId(), StandardCharsets.US_ASCII) : null;
    }

    static boolean isOf(Xid xid, String resource) {
        return Arrays.equals(xid.getBranchQualifier(), resource.getBytes(StandardCharsets.US_ASCII));
    }
}
