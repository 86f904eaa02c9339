package ferrymq.apps.xa;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.XAConnection;
import org.apache.derby.jdbc.EmbeddedXADataSource;

/** The other resource: a table of what was worked on, in a file of its own. */
final class Database implements AutoCloseable {
    private final EmbeddedXADataSource source = new EmbeddedXADataSource();
    private final XAConnection connected;
    private final Connection plain;

    Database(Path folder) throws SQLException {
        System.setProperty("derby.stream.error.file", folder.resolve("derby.log").toString());
        source.setDatabaseName(folder.resolve("second").toString());
        source.setCreateDatabase("create");
        // One connection stays: it keeps the database open.
        connected = source.getXAConnection();
        plain = connected.getConnection();
        try (Statement statement = plain.createStatement()) {
            statement.execute("create table finished (number bigint not null primary key)");
        }
    }

    XAConnection connect() throws SQLException {
        return source.getXAConnection();
    }

    static void insert(Connection connection, long number) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("insert into finished values (?)")) {
            statement.setLong(1, number);
            statement.executeUpdate();
        }
    }

    boolean holds(long number) throws SQLException {
        try (PreparedStatement statement = plain.prepareStatement("select 1 from finished where number = ?")) {
            statement.setLong(1, number);
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next();
            }
        }
    }

    @Override
    public void close() throws SQLException {
        connected.close();
    }
}
