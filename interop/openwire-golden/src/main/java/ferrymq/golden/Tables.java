package ferrymq.golden;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which fields each structure has: the name in the codec, and the name of the Java property. */
final class Tables {
    /** One field. A name that ends in "!" is a text that cannot be absent. */
    record Field(String name, boolean required, String property) {}

    private static final String COMMAND = "command_id=CommandId response_required=ResponseRequired ";

    private static final String MESSAGE = COMMAND
        + "producer_id=ProducerId destination=Destination transaction_id=TransactionId "
        + "original_destination=OriginalDestination message_id=MessageId "
        + "original_transaction_id=OriginalTransactionId group_id=GroupID group_sequence=GroupSequence "
        + "correlation_id=CorrelationId persistent=Persistent expiration=Expiration priority=Priority "
        + "reply_to=ReplyTo timestamp=Timestamp jms_type=Type content=Content "
        + "marshalled_properties=MarshalledProperties data_structure=DataStructure "
        + "target_consumer_id=TargetConsumerId compressed=Compressed redelivery_counter=RedeliveryCounter "
        + "broker_path=BrokerPath arrival=Arrival user_id=UserID received_by_df_bridge=RecievedByDFBridge "
        + "droppable=Droppable cluster=Cluster broker_in_time=BrokerInTime broker_out_time=BrokerOutTime "
        + "jmsx_group_first_for_consumer=JMSXGroupFirstForConsumer";

    private static final String TEXT = """
        BrokerInfo: C broker_id=BrokerId broker_url=BrokerURL peer_broker_infos=PeerBrokerInfos broker_name=BrokerName \
            slave_broker=SlaveBroker master_broker=MasterBroker \
            fault_tolerant_configuration=FaultTolerantConfiguration duplex_connection=DuplexConnection \
            network_connection=NetworkConnection connection_id=ConnectionId broker_upload_url=BrokerUploadUrl \
            network_properties=NetworkProperties
        ConnectionInfo: C connection_id=ConnectionId client_id=ClientId password=Password user_name=UserName \
            broker_path=BrokerPath broker_master_connector=BrokerMasterConnector manageable=Manageable \
            client_master=ClientMaster fault_tolerant=FaultTolerant failover_reconnect=FailoverReconnect \
            client_ip=ClientIp
        SessionInfo: C session_id=SessionId
        ConsumerInfo: C consumer_id=ConsumerId browser=Browser destination=Destination prefetch_size=PrefetchSize \
            maximum_pending_message_limit=MaximumPendingMessageLimit dispatch_async=DispatchAsync selector=Selector \
            client_id=ClientId subscription_name=SubscriptionName no_local=NoLocal exclusive=Exclusive \
            retroactive=Retroactive priority=Priority broker_path=BrokerPath \
            additional_predicate=AdditionalPredicate network_subscription=NetworkSubscription \
            optimized_acknowledge=OptimizedAcknowledge no_range_acks=NoRangeAcks \
            network_consumer_path=NetworkConsumerPath
        ProducerInfo: C producer_id=ProducerId destination=Destination broker_path=BrokerPath \
            dispatch_async=DispatchAsync window_size=WindowSize
        TransactionInfo: C connection_id=ConnectionId transaction_id=TransactionId kind=Type
        DestinationInfo: C connection_id=ConnectionId destination=Destination operation_type=OperationType \
            timeout=Timeout broker_path=BrokerPath
        RemoveSubscriptionInfo: C connection_id=ConnectionId subscription_name=SubscriptionName client_id=ClientId
        KeepAliveInfo: C
        ShutdownInfo: C
        RemoveInfo: C object_id=ObjectId last_delivered_sequence_id=LastDeliveredSequenceId
        ControlCommand: C command=Command
        FlushCommand: C
        ConnectionError: C exception=Exception connection_id=ConnectionId
        ConsumerControl: C destination=Destination close=Close consumer_id=ConsumerId prefetch=Prefetch flush=Flush \
            start=Start stop=Stop
        ConnectionControl: C close=Close exit=Exit fault_tolerant=FaultTolerant resume=Resume suspend=Suspend \
            connected_brokers=ConnectedBrokers reconnect_to=ReconnectTo rebalance_connection=RebalanceConnection \
            token=Token
        MessageDispatch: C consumer_id=ConsumerId destination=Destination message=Message \
            redelivery_counter=RedeliveryCounter
        MessageAck: C destination=Destination transaction_id=TransactionId consumer_id=ConsumerId ack_type=AckType \
            first_message_id=FirstMessageId last_message_id=LastMessageId message_count=MessageCount \
            poison_cause=PoisonCause
        ActiveMQMessage: M
        ActiveMQBytesMessage: M
        ActiveMQMapMessage: M
        ActiveMQObjectMessage: M
        ActiveMQStreamMessage: M
        ActiveMQTextMessage: M
        Response: C correlation_id=CorrelationId
        ExceptionResponse: C correlation_id=CorrelationId exception=Exception
        DataResponse: C correlation_id=CorrelationId data=Data
        DataArrayResponse: C correlation_id=CorrelationId data=Data
        IntegerResponse: C correlation_id=CorrelationId result=Result
        DiscoveryEvent: service_name=ServiceName broker_name=BrokerName
        JournalTopicAck: destination=Destination message_id=MessageId message_sequence_id=MessageSequenceId \
            subscription_name=SubscritionName client_id=ClientId transaction_id=TransactionId
        JournalQueueAck: destination=Destination message_ack=MessageAck
        JournalTrace: message=Message
        JournalTransaction: transaction_id=TransactionId kind=Type was_prepared=WasPrepared
        SubscriptionInfo: client_id=ClientId destination=Destination selector=Selector \
            subscription_name=SubscriptionName subscribed_destination=SubscribedDestination no_local=NoLocal
        PartialCommand: command_id=CommandId data=Data
        LastPartialCommand: command_id=CommandId data=Data
        ReplayCommand: C first_nak_number=FirstNakNumber last_nak_number=LastNakNumber
        MessageDispatchNotification: C consumer_id=ConsumerId destination=Destination \
            delivery_sequence_id=DeliverySequenceId message_id=MessageId
        NetworkBridgeFilter: network_ttl=NetworkTTL network_broker_id=NetworkBrokerId message_ttl=MessageTTL \
            consumer_ttl=ConsumerTTL
        ActiveMQQueue: physical_name!=PhysicalName
        ActiveMQTopic: physical_name!=PhysicalName
        ActiveMQTempQueue: physical_name!=PhysicalName
        ActiveMQTempTopic: physical_name!=PhysicalName
        MessageId: text_view=TextView producer_id=ProducerId producer_sequence_id=ProducerSequenceId \
            broker_sequence_id=BrokerSequenceId
        LocalTransactionId: value=Value connection_id=ConnectionId
        XATransactionId: format_id=FormatId global_transaction_id=GlobalTransactionId \
            branch_qualifier=BranchQualifier
        ConnectionId: value!=Value
        SessionId: connection_id!=ConnectionId value=Value
        ConsumerId: connection_id!=ConnectionId session_id=SessionId value=Value
        ProducerId: connection_id!=ConnectionId value=Value session_id=SessionId
        BrokerId: value!=Value
        MessagePull: C consumer_id=ConsumerId destination=Destination timeout=Timeout correlation_id=CorrelationId \
            message_id=MessageId
        ProducerAck: C producer_id=ProducerId size=Size
        ActiveMQBlobMessage: M
        BrokerSubscriptionInfo: C broker_id=BrokerId broker_name=BrokerName subscription_infos=SubscriptionInfos
        """;

    /** Every structure in the order in which it is written. Those of later versions come last: slots stay the same. */
    static final Map<String, List<Field>> ALL = parse();

    static final List<Field> BLOB =
        fields("remote_blob_url=RemoteBlobUrl mime_type=MimeType deleted_by_broker=DeletedByBroker");

    private Tables() {}

    private static Map<String, List<Field>> parse() {
        var tables = new LinkedHashMap<String, List<Field>>();
        for (String line : TEXT.strip().split("\n")) {
            String[] parts = line.split(":", 2);
            String rows = parts[1].strip();
            if (rows.startsWith("C")) {
                rows = COMMAND + rows.substring(1);
            } else if (rows.equals("M")) {
                rows = MESSAGE;
            }
            tables.put(parts[0].strip(), fields(rows));
        }
        return tables;
    }

    private static List<Field> fields(String rows) {
        var fields = new ArrayList<Field>();
        for (String row : rows.strip().split("\\s+")) {
            String[] parts = row.split("=");
            boolean required = parts[0].endsWith("!");
            fields.add(new Field(parts[0].replace("!", ""), required, parts[1]));
        }
        return fields;
    }
}
