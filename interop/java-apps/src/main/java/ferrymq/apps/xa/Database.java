package ferrymq.apps.xa;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.XAConnection;
import org.h2.jdbcx.JdbcDataSource;

/** The other resource: a table of what was worked on, in a file of its own. */
final class Database implements AutoCloseable {
    private final JdbcDataSource source = new JdbcDataSource();
    /** Keeps the database open between connections. */
    private final Connection plain;

    Database(Path folder) throws SQLException {
        source.setUrl("jdbc:h2:file:" + folder.resolve("second"));
        plain = source.getConnection();
        try (Statement statement = plain.createStatement()) {
            statement.execute("create table work (number bigint primary key)");
        }
    }

    XAConnection connect() throws SQLException {
        return source.getXAConnection();
    }

    static void insert(Connection connection, long number) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("insert into work values (?)")) {
            statement.setLong(1, number);
            statement.executeUpdate();
        }
    }

    boolean holds(long number) throws SQLException {
        try (PreparedStatement statement = plain.prepareStatement("select 1 from work where number = ?")) {
            statement.setLong(1, number);
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next();
            }
        }
    }

    @Override
    public void close() throws SQLException {
        plain.close();
    }
}
